%%% @doc Brings posts to the people who may see their author's presence. All posts of one author
%%% go through one worker, so they arrive in their order; the publisher waits for none of it. A worker
%%% that is stopped first sends what it has.
-module(twitter_fanout).
-behaviour(gen_server).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([published/5, retracted/4, sync/1, start_link/2]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

%% @doc A post was stored: send it to everybody entitled, and to the author's other resources.
-spec published(twitter_service:served(), Author :: twitter_nif:jid(), Publisher :: jid:jid(),
                Id :: binary(), Payload :: [xmlel()]) -> ok.
published(Service, Author, Publisher, Id, Payload) ->
    hand_over(Service, Author, Publisher, {item, Id, Payload}).

%% @doc Posts were deleted: tell the same people.
-spec retracted(twitter_service:served(), Author :: twitter_nif:jid(), Publisher :: jid:jid(),
                Ids :: [binary()]) -> ok.
retracted(Service, Author, Publisher, Ids) ->
    hand_over(Service, Author, Publisher, {retract, Ids}).

hand_over(Service, Author, Publisher, What) ->
    case whereis(twitter_pool:worker(?MODULE, Service, Author)) of
        undefined ->
            %% The post is stored, and read later.
            ?WARNING_MSG("A post of ~ts at ~ts is not sent: there is nobody to send it",
                         [Author, maps:get(host, Service)]);
        Worker ->
            Worker ! {send, Service, Author, Publisher, What},
            ok
    end.

%% @doc Returns when everything handed over before has been sent.
-spec sync(Host :: binary()) -> ok.
sync(Host) ->
    {ok, #{server_host := ServerHost}} = twitter_service:find(Host),
    lists:foreach(fun(Worker) -> ok = gen_server:call(Worker, sync, infinity) end,
                  twitter_pool:workers(?MODULE, ServerHost)).

-spec start_link(Name :: atom(), ServerHost :: binary()) -> {ok, pid()} | {error, term()}.
start_link(Name, _ServerHost) ->
    gen_server:start_link({local, Name}, ?MODULE, [], []).

%% @private
-spec init([]) -> {ok, idle}.
init([]) ->
    process_flag(trap_exit, true),
    {ok, idle}.

%% @private
-spec handle_call(sync, gen_server:from(), idle) -> {reply, ok, idle}.
handle_call(sync, _From, idle) ->
    {reply, ok, idle}.

%% @private
-spec handle_cast(term(), idle) -> {noreply, idle}.
handle_cast(_Message, idle) ->
    {noreply, idle}.

%% @private
-spec handle_info({send, twitter_service:served(), twitter_nif:jid(), jid:jid(),
                   twitter_event:what()} | term(), idle) -> {noreply, idle}.
handle_info({send, Service, Author, Publisher, What}, idle) ->
    send(Service, jid:decode(Author), Publisher, What),
    {noreply, idle};
handle_info(_Message, idle) ->
    {noreply, idle}.

%% @private
-spec terminate(term(), idle) -> ok.
terminate(Reason, idle) ->
    receive
        {send, Service, Author, Publisher, What} ->
            send(Service, jid:decode(Author), Publisher, What),
            terminate(Reason, idle)
    after 0 ->
        ok
    end.

send(#{host := Host, server_host := ServerHost}, Author, Publisher, What) ->
    Name = jid:encode(Author),
    {Local, Remote} = twitter_roster:recipients(Author),
    Events = twitter_event:to_friends(Host, Name, What, mod_twitter_opt:body(ServerHost)),
    lists:foreach(fun(Reader) -> send_local(Events, Author, jid:decode(Reader)) end, Local),
    lists:foreach(
      fun({_Domain, Readers}) ->
              lists:foreach(fun(Reader) -> send_remote(Events, Author, jid:decode(Reader)) end,
                            Readers)
      end, Remote),
    Own = twitter_event:to_author(Host, Name, What),
    lists:foreach(fun(Resource) -> send_resource(Own, Author, Resource) end,
                  resources(Author) -- [Publisher#jid.lresource]).

send_local(Events, Author, Reader) ->
    lists:foreach(
      fun(Resource) ->
              case twitter_roster:may_see(jid:replace_resource(Reader, Resource), Author) of
                  true -> send_resource(Events, Reader, Resource);
                  false -> ok
              end
      end, resources(Reader)).

%% Straight to the session: a headline to a bare JID would pass by resources of negative priority.
send_resource(Events, #jid{luser = LUser, lserver = LServer} = Reader, Resource) ->
    case ejabberd_sm:get_session_pid(LUser, LServer, Resource) of
        none ->
            ok;
        Pid ->
            lists:foreach(fun(Event) ->
                                  ejabberd_c2s:route(Pid, {route, xmpp:set_to(Event, Reader)})
                          end, Events)
    end.

send_remote(Events, Author, Reader) ->
    case twitter_roster:may_see(Reader, Author) of
        true -> lists:foreach(fun(Event) -> ejabberd_router:route(xmpp:set_to(Event, Reader)) end,
                              Events);
        false -> ok
    end.

%% Those that have sent presence.
resources(#jid{luser = LUser, lserver = LServer}) ->
    [Resource || {_Priority, Resource} <- ejabberd_sm:get_user_present_resources(LUser, LServer)].
