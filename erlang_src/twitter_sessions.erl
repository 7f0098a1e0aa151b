%%% @doc Who is online in a vhost on this node: a copy of ejabberd's sessions in the core, which the
%%% fan-out asks for every follower. Each session tells it of its presence by ejabberd's hooks, in its
%%% own process. What no hook told (a session that was killed, a time without this process) is put
%%% right when this starts, and every minute.
-module(twitter_sessions).
-behaviour(gen_server).

-include_lib("ejabberd/include/ejabberd_sm.hrl").
-include_lib("ejabberd/include/logger.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([here/0, of_user/1, count/1, start_link/1, reconcile/1]).
-export([sm_register_connection/3, sm_remove_connection/3, set_presence/4, unset_presence/4]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-define(RECONCILE_MS, 60_000).

-record(state, {server_host :: binary(), online :: twitter_nif:online()}).

%% @doc The vhosts whose sessions are known, with who is online there.
-spec here() -> [{Domain :: binary(), twitter_nif:online()}].
here() ->
    [{Host, Online} || Host <- ejabberd_option:hosts(), {ok, Online} <- [find(Host)]].

%% @doc The sessions on this node of a user of this server that have sent presence.
-spec of_user(jid:jid()) -> [twitter_nif:session()].
of_user(#jid{luser = LUser, lserver = LServer}) ->
    case find(LServer) of
        {ok, Online} ->
            twitter_nif:sessions(Online, LUser);
        error ->
            [{Pid, Resource}
             || {_, Resource} <- ejabberd_sm:get_user_present_resources(LUser, LServer),
                Pid <- [ejabberd_sm:get_session_pid(LUser, LServer, Resource)], is_pid(Pid)]
    end.

%% @doc How many users of a vhost have a session on this node.
-spec count(ServerHost :: binary()) -> non_neg_integer().
count(ServerHost) ->
    case find(ServerHost) of
        {ok, Online} -> twitter_nif:users_online(Online);
        error -> 0
    end.

find(LServer) ->
    case persistent_term:get({?MODULE, LServer}, none) of
        {ready, Online} -> {ok, Online};
        _ -> error
    end.

%% @doc Compares with ejabberd's sessions, and puts right what differs.
-spec reconcile(ServerHost :: binary()) -> ok.
reconcile(ServerHost) ->
    gen_server:call(name(ServerHost), reconcile, infinity).

-spec start_link(ServerHost :: binary()) -> {ok, pid()} | {error, term()}.
start_link(ServerHost) ->
    gen_server:start_link({local, name(ServerHost)}, ?MODULE, ServerHost, []).

name(ServerHost) ->
    gen_mod:get_module_proc(ServerHost, ?MODULE).

%%% Hooks, each in the process of the session it is about.

%% @doc A session begins: one that is resumed (XEP-0198) has its presence already.
-spec sm_register_connection(ejabberd_sm:sid(), jid:jid(), ejabberd_sm:info()) -> ok.
sm_register_connection({_, Pid}, #jid{luser = LUser, lserver = LServer, lresource = Resource}, _Info) ->
    with(LServer, fun(Online) ->
                          is_present(LUser, LServer, Pid, Resource)
                              andalso twitter_nif:arrive(Online, LUser, Pid, Resource)
                  end).

%% @doc A session ends.
-spec sm_remove_connection(ejabberd_sm:sid(), jid:jid(), ejabberd_sm:info()) -> ok.
sm_remove_connection({_, Pid}, #jid{luser = LUser, lserver = LServer}, _Info) ->
    with(LServer, fun(Online) -> twitter_nif:leave(Online, LUser, Pid) end).

%% @doc A session becomes available, or says something else about it.
-spec set_presence(User :: binary(), Server :: binary(), Resource :: binary(), presence()) -> ok.
set_presence(User, Server, Resource, _Presence) ->
    with(Server, fun(Online) ->
                         #jid{luser = LUser, lresource = LResource} = jid:make(User, Server, Resource),
                         twitter_nif:arrive(Online, LUser, self(), LResource)
                 end).

%% @doc A session becomes unavailable.
-spec unset_presence(User :: binary(), Server :: binary(), Resource :: binary(), Status :: binary()) ->
          ok.
unset_presence(User, Server, _Resource, _Status) ->
    with(Server, fun(Online) -> twitter_nif:leave(Online, jid:nodeprep(User), self()) end).

with(Server, Fun) ->
    LServer = jid:nameprep(Server),
    case persistent_term:get({?MODULE, LServer}, none) of
        {_, Online} ->
            try
                _ = Fun(Online),
                ok
            catch
                Class:Reason:Stacktrace ->
                    ?ERROR_MSG("A session could not tell of itself, so all are looked at:~n** ~ts",
                               [misc:format_exception(2, Class, Reason, Stacktrace)]),
                    gen_server:cast(name(LServer), reconcile)
            end;
        none ->
            ok
    end.

hooks() ->
    [{sm_register_connection_hook, sm_register_connection},
     {sm_remove_connection_hook, sm_remove_connection},
     {set_presence_hook, set_presence},
     {unset_presence_hook, unset_presence}].

%%% The process

%% @private
-spec init(ServerHost :: binary()) -> {ok, #state{}}.
init(ServerHost) ->
    process_flag(trap_exit, true),
    Online = told(ServerHost),
    lists:foreach(fun({Hook, Function}) ->
                          ejabberd_hooks:add(Hook, ServerHost, ?MODULE, Function, 50)
                  end, hooks()),
    State = compared(#state{server_host = ServerHost, online = Online}),
    %% Nobody is passed by while this finds out who is there: until now ejabberd was asked.
    persistent_term:put({?MODULE, ServerHost}, {ready, Online}),
    {ok, State}.

%% What sessions tell by the hooks. After a process that was killed they went on telling.
told(ServerHost) ->
    case find(ServerHost) of
        {ok, Online} ->
            Online;
        error ->
            Online = twitter_nif:online_new(),
            persistent_term:put({?MODULE, ServerHost}, {filling, Online}),
            Online
    end.

%% @private
-spec handle_call(reconcile, gen_server:from(), #state{}) -> {reply, ok, #state{}}.
handle_call(reconcile, _From, State) ->
    {reply, ok, compare(State)}.

%% @private
-spec handle_cast(reconcile | term(), #state{}) -> {noreply, #state{}}.
handle_cast(reconcile, State) ->
    {noreply, compare(State)};
handle_cast(_Message, State) ->
    {noreply, State}.

%% @private
-spec handle_info(reconcile | term(), #state{}) -> {noreply, #state{}}.
handle_info(reconcile, State) ->
    {noreply, compared(State)};
handle_info(_Message, State) ->
    {noreply, State}.

%% @private
-spec terminate(term(), #state{}) -> term().
terminate(_Reason, #state{server_host = ServerHost}) ->
    lists:foreach(fun({Hook, Function}) ->
                          ejabberd_hooks:delete(Hook, ServerHost, ?MODULE, Function, 50)
                  end, hooks()),
    persistent_term:erase({?MODULE, ServerHost}).

compared(State) ->
    _ = erlang:send_after(?RECONCILE_MS, self(), reconcile),
    compare(State).

compare(#state{server_host = ServerHost, online = Online} = State) ->
    Known = [{User, Pid, Resource} || {User, {Pid, Resource}} <- twitter_nif:all_sessions(Online)],
    True = [{User, Pid, Resource}
            || #session{usr = {User, Server, Resource}, sid = {_, Pid}, priority = Priority}
                   <- ejabberd_sm:dirty_get_my_sessions_list(),
               Server =:= ServerHost, is_integer(Priority), node(Pid) =:= node()],
    lists:foreach(fun(Session) -> put_right(State, Session) end,
                  lists:usort((Known -- True) ++ (True -- Known))),
    {ok, Flow} = twitter_flow:find(ServerHost),
    %% Sessions that were killed will not take what is under way to them.
    ok = twitter_flow:forgive_idle(Flow),
    State.

%% The session may tell something else meanwhile: in the end both must say the same.
put_right(#state{server_host = ServerHost, online = Online} = State, {User, Pid, Resource} = Session) ->
    IsPresent = is_present(User, ServerHost, Pid, Resource),
    _ = case IsPresent of
            true -> twitter_nif:arrive(Online, User, Pid, Resource);
            false -> twitter_nif:leave(Online, User, Pid)
        end,
    case is_present(User, ServerHost, Pid, Resource) of
        IsPresent -> ok;
        _ -> put_right(State, Session)
    end.

%% Of two sessions with one resource only the later one counts, whether it has sent presence or not.
is_present(LUser, LServer, Pid, LResource) ->
    lists:any(fun({Resource, Info}) ->
                      Resource =:= LResource andalso proplists:get_value(pid, Info) =:= Pid
                          andalso is_integer(proplists:get_value(priority, Info))
              end, ejabberd_sm:get_user_info(LUser, LServer)).

