%%% @doc Who is online in a vhost on this node, each node of a cluster for itself: a copy of ejabberd's sessions in the core, which the
%%% fan-out asks for every follower. Each session tells it of its presence by ejabberd's hooks, in its
%%% own process. What no hook told (a session that was killed, a time without this process) is put
%%% right when this starts, and every minute.
-module(twitter_sessions).
-behaviour(gen_server).

-include_lib("ejabberd/include/ejabberd_sm.hrl").
-include_lib("ejabberd/include/logger.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([here/0, of_user/1, is_elsewhere/1, count/1, take_departure/1, return_departure/2, start_link/1, reconcile/1,
         served/1, stops/1]).
-export([sm_register_connection/3, sm_remove_connection/3, set_presence/4, unset_presence/4]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-define(RECONCILE_MS, 60_000).

-record(state, {server_host :: binary(), online :: twitter_nif:online(),
                %% Until then sessions were there that are known, by the clock that dates posts.
                compared :: non_neg_integer()}).

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
            %% Those of other nodes get it there.
            [{Pid, Resource}
             || {_, Resource} <- ejabberd_sm:get_user_present_resources(LUser, LServer),
                Pid <- [ejabberd_sm:get_session_pid(LUser, LServer, Resource)], is_pid(Pid), node(Pid) =:= node()]
    end.

%% @doc Whether a user of a vhost has a session that has sent presence on another node. Cost: a look into a table, if
%% there are other nodes.
-spec is_elsewhere(jid:jid()) -> boolean().
is_elsewhere(#jid{luser = LUser, lserver = LServer}) ->
    twitter_cluster:members(LServer) =/= []
        andalso lists:any(fun({_Resource, Info}) ->
                                  proplists:get_value(node, Info) =/= node()
                                      andalso is_integer(proplists:get_value(priority, Info))
                          end, ejabberd_sm:get_user_info(LUser, LServer)).

%% @doc How many users of a vhost have a session on this node.
-spec count(ServerHost :: binary()) -> non_neg_integer().
count(ServerHost) ->
    case find(ServerHost) of
        {ok, Online} -> twitter_nif:users_online(Online);
        error -> 0
    end.

%% @doc How a user left, if nobody has taken that yet.
-spec take_departure(jid:jid()) -> twitter_nif:departure() | undefined.
take_departure(#jid{luser = LUser, lserver = LServer}) ->
    case find(LServer) of
        {ok, Online} -> twitter_nif:take_departure(Online, LUser);
        error -> undefined
    end.

%% @doc Whoever has taken that could do nothing with it.
-spec return_departure(jid:jid(), twitter_nif:departure() | undefined) -> ok.
return_departure(_Jid, undefined) ->
    ok;
return_departure(#jid{luser = LUser, lserver = LServer}, Departure) ->
    case find(LServer) of
        {ok, Online} -> twitter_nif:return_departure(Online, LUser, Departure);
        error -> ok
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

%% @doc The service of a vhost begins: who came before that has not looked for what he missed, and who left could
%% not be noted.
-spec served(ServerHost :: binary()) -> ok.
served(ServerHost) ->
    case find(ServerHost) of
        {ok, Online} ->
            %% They wait for writers, which may wait for the service.
            _ = spawn(fun() -> note_departed(ServerHost, Online) end),
            lists:foreach(fun({_User, {Pid, _Resource}}) -> Pid ! {twitter_catch_up, arrived} end,
                          twitter_nif:all_sessions(Online));
        error ->
            ok
    end.

%% @doc The plugin is about to stop. If ejabberd is, it has ended all sessions, some of them before they could say
%% so: what was pushed to them until now would count as missed.
-spec stops(ServerHost :: binary()) -> ok.
stops(ServerHost) ->
    case find(ServerHost) of
        {ok, Online} ->
            lists:foreach(fun({User, Pid}) -> leave(Online, User, ServerHost, Pid) end,
                          [{User, Pid} || {User, {Pid, _}} <- twitter_nif:all_sessions(Online),
                                          node(Pid) =:= node(), not is_process_alive(Pid)]),
            note_departed(ServerHost, Online);
        error ->
            ok
    end.

note_departed(ServerHost, Online) ->
    lists:foreach(fun(User) -> twitter_unread:leave(jid:make(User, ServerHost)) end, twitter_nif:departed(Online)).

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
                          case is_present(LUser, LServer, Pid, Resource) of
                              true ->
                                  ok = twitter_catch_up:resumed(LServer),
                                  twitter_nif:arrive(Online, LUser, Pid, Resource);
                              false ->
                                  false
                          end
                  end).

%% @doc A session ends.
-spec sm_remove_connection(ejabberd_sm:sid(), jid:jid(), ejabberd_sm:info()) -> ok.
sm_remove_connection({_, Pid}, #jid{luser = LUser, lserver = LServer}, _Info) ->
    with(LServer, fun(Online) -> leave(Online, LUser, LServer, Pid) end).

%% @doc A session becomes available, or says something else about it.
-spec set_presence(User :: binary(), Server :: binary(), Resource :: binary(), presence()) -> ok.
set_presence(User, Server, Resource, _Presence) ->
    with(Server, fun(Online) ->
                         #jid{luser = LUser, lserver = LServer, lresource = LResource} =
                             jid:make(User, Server, Resource),
                         ok = twitter_catch_up:available(LServer),
                         twitter_nif:arrive(Online, LUser, self(), LResource)
                 end).

%% @doc A session becomes unavailable.
-spec unset_presence(User :: binary(), Server :: binary(), Resource :: binary(), Status :: binary()) ->
          ok.
unset_presence(User, Server, _Resource, _Status) ->
    with(Server, fun(Online) -> leave(Online, jid:nodeprep(User), jid:nameprep(Server), self()) end).

leave(Online, LUser, LServer, Pid) when Pid =:= self() ->
    depart(Online, LUser, LServer, Pid, fun() -> twitter_catch_up:departure(LServer) end);
leave(Online, LUser, LServer, Pid) ->
    depart(Online, LUser, LServer, Pid, fun() -> {twitter_unread:moment(), [], [], []} end).

%% If it was his last session, what is posted from now on is unread.
depart(Online, LUser, LServer, Pid, Departure) ->
    case was_last(Online, LUser, LServer, Pid, Departure) of
        true -> twitter_unread:leave(jid:make(LUser, LServer));
        false -> ok
    end.

was_last(Online, LUser, LServer, Pid, Departure) ->
    case twitter_unread:is_kept(LServer) of
        true ->
            twitter_nif:depart(Online, LUser, Pid, Departure()) andalso twitter_nif:sessions(Online, LUser) =:= [];
        false ->
            _ = twitter_nif:leave(Online, LUser, Pid),
            false
    end.

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
    State = compared(#state{server_host = ServerHost, online = Online, compared = twitter_unread:run(ServerHost)}),
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
    Now = twitter_unread:moment(),
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
    State#state{compared = Now}.

%% The session may tell something else meanwhile: in the end both must say the same.
put_right(#state{server_host = ServerHost} = State, {User, Pid, Resource} = Session) ->
    IsPresent = is_present(User, ServerHost, Pid, Resource),
    ok = case IsPresent of
             true -> begun(State, User, Pid, Resource);
             false -> ended(State, User, Pid)
         end,
    case is_present(User, ServerHost, Pid, Resource) of
        IsPresent -> ok;
        _ -> put_right(State, Session)
    end.

begun(#state{online = Online}, User, Pid, Resource) ->
    _ = [Pid ! {twitter_catch_up, arrived} || twitter_nif:arrive(Online, User, Pid, Resource)],
    ok.

%% When it ended nobody knows. Its user's mark changes when it can: this process is waited for.
ended(#state{server_host = ServerHost, online = Online, compared = Compared}, User, Pid) ->
    case was_last(Online, User, ServerHost, Pid, fun() -> {Compared, [], [], []} end) of
        true ->
            _ = spawn(twitter_unread, leave, [jid:make(User, ServerHost)]),
            ok;
        false ->
            ok
    end.

%% Of two sessions with one resource only the later one counts, whether it has sent presence or not.
is_present(LUser, LServer, Pid, LResource) ->
    lists:any(fun({Resource, Info}) ->
                      Resource =:= LResource andalso proplists:get_value(pid, Info) =:= Pid
                          andalso is_integer(proplists:get_value(priority, Info))
              end, ejabberd_sm:get_user_info(LUser, LServer)).

