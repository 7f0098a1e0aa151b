%%% @doc Brings posts to the people who may see their author's presence. All posts of one author
%%% go through one worker, so they arrive in their order; the publisher waits for none of it.
-module(twitter_fanout).
-behaviour(gen_server).

-include_lib("xmpp/include/xmpp.hrl").

-export([published/5, retracted/4, sync/1, start_link/2, workers/0]).
-export([init/1, handle_call/3, handle_cast/2]).

-record(state, {server_host :: binary()}).

%% @doc A post was stored: send it to everybody entitled, and to the author's other resources.
-spec published(Host :: binary(), Author :: twitter_nif:jid(), Publisher :: jid:jid(),
                Id :: binary(), Payload :: [xmlel()]) -> ok.
published(Host, Author, Publisher, Id, Payload) ->
    cast(Host, Author, Publisher, {item, Id, Payload}).

%% @doc Posts were deleted: tell the same people.
-spec retracted(Host :: binary(), Author :: twitter_nif:jid(), Publisher :: jid:jid(),
                Ids :: [binary()]) -> ok.
retracted(_Host, _Author, _Publisher, []) ->
    ok;
retracted(Host, Author, Publisher, Ids) ->
    cast(Host, Author, Publisher, {retract, Ids}).

%% @doc Returns when everything handed over before has been sent.
-spec sync(Host :: binary()) -> ok.
sync(Host) ->
    {ok, #{server_host := ServerHost}} = twitter_service:find(Host),
    lists:foreach(fun(N) -> ok = gen_server:call(name(ServerHost, N), sync, infinity) end,
                  workers()).

%% @doc The numbers of the workers of a vhost.
-spec workers() -> [pos_integer()].
workers() ->
    lists:seq(1, erlang:system_info(schedulers)).

-spec start_link(ServerHost :: binary(), N :: pos_integer()) -> {ok, pid()} | {error, term()}.
start_link(ServerHost, N) ->
    gen_server:start_link({local, name(ServerHost, N)}, ?MODULE, ServerHost, []).

%% @private
-spec init(ServerHost :: binary()) -> {ok, #state{}}.
init(ServerHost) ->
    {ok, #state{server_host = ServerHost}}.

%% @private
-spec handle_call(sync, gen_server:from(), #state{}) -> {reply, ok, #state{}}.
handle_call(sync, _From, State) ->
    {reply, ok, State}.

%% @private
-spec handle_cast({send, binary(), twitter_nif:jid(), jid:jid(), twitter_event:what()}, #state{}) ->
          {noreply, #state{}}.
handle_cast({send, Host, Author, Publisher, What}, #state{server_host = ServerHost} = State) ->
    send(ServerHost, Host, Author, Publisher, What),
    {noreply, State}.

cast(Host, Author, Publisher, What) ->
    case twitter_service:find(Host) of
        {ok, #{server_host := ServerHost}} ->
            N = erlang:phash2(Author, length(workers())) + 1,
            gen_server:cast(name(ServerHost, N), {send, Host, Author, Publisher, What});
        error ->
            ok
    end.

send(ServerHost, Host, Author, Publisher, What) ->
    AuthorJid = jid:decode(Author),
    {Local, Remote} = twitter_roster:recipients(AuthorJid),
    Event = twitter_event:to_friends(Host, Author, What, mod_twitter_opt:body(ServerHost)),
    lists:foreach(fun(Reader) -> send_local(Event, AuthorJid, jid:decode(Reader)) end, Local),
    lists:foreach(
      fun({_Domain, Readers}) ->
              lists:foreach(fun(Reader) -> send_remote(Event, AuthorJid, jid:decode(Reader)) end,
                            Readers)
      end, Remote),
    Own = twitter_event:to_author(Host, Author, What),
    send_resources(Own, AuthorJid, resources(AuthorJid) -- [Publisher#jid.lresource]).

send_local(Event, Author, Reader) ->
    case resources(Reader) of
        [] ->
            ok;
        Resources ->
            case twitter_roster:may_see(Reader, Author) of
                true -> send_resources(Event, Reader, Resources);
                false -> ok
            end
    end.

send_remote(Event, Author, Reader) ->
    case twitter_roster:may_see(Reader, Author) of
        true -> ejabberd_router:route(xmpp:set_to(Event, Reader));
        false -> ok
    end.

%% Straight to the sessions: a headline to a bare JID would pass by resources of negative priority.
send_resources(Event, #jid{luser = LUser, lserver = LServer} = Reader, Resources) ->
    Message = xmpp:set_to(Event, Reader),
    lists:foreach(
      fun(Resource) ->
              case ejabberd_sm:get_session_pid(LUser, LServer, Resource) of
                  none -> ok;
                  Pid -> ejabberd_c2s:route(Pid, {route, Message})
              end
      end, Resources).

%% Those that have sent presence.
resources(#jid{luser = LUser, lserver = LServer}) ->
    [Resource || {_Priority, Resource} <- ejabberd_sm:get_user_present_resources(LUser, LServer)].

name(ServerHost, N) ->
    gen_mod:get_module_proc(ServerHost, list_to_atom("twitter_fanout_" ++ integer_to_list(N))).
