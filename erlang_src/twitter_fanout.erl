%%% @doc Brings posts to the people who may see their author's presence. All posts of one author
%%% go through one worker, so they arrive in their order; the publisher waits for none of it.
%%%
%%% A worker sends a post in pages of recipients, and between two pages it turns to other authors. Who
%%% lost the right in the meantime does not get it. A worker that is stopped first sends what it has.
-module(twitter_fanout).
-behaviour(gen_server).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([published/5, retracted/4, sync/1, start_link/2]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

%% A page has so many recipients at least, and a post so many pages at most: the roster is asked for
%% each of them.
-define(MIN_PAGE, 100).
-define(MAX_PAGES, 20).

-type post() :: {twitter_service:served(), Publisher :: jid:jid(), twitter_event:what()}.
%% Authors whose posts are being sent, each with those that wait, and who waits for the end of all.
-record(state, {busy = #{} :: #{twitter_nif:jid() => queue:queue(post())},
                waiting = [] :: [gen_server:from()]}).

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

%% @doc Returns when everything handed over before has been sent: for tests.
-spec sync(Host :: binary()) -> ok.
sync(Host) ->
    {ok, #{server_host := ServerHost}} = twitter_service:find(Host),
    lists:foreach(fun(Worker) -> ok = gen_server:call(Worker, sync, infinity) end,
                  twitter_pool:workers(?MODULE, ServerHost)).

-spec start_link(Name :: atom(), ServerHost :: binary()) -> {ok, pid()} | {error, term()}.
start_link(Name, _ServerHost) ->
    gen_server:start_link({local, Name}, ?MODULE, [], []).

%% @private
-spec init([]) -> {ok, #state{}}.
init([]) ->
    process_flag(trap_exit, true),
    {ok, #state{}}.

%% @private
-spec handle_call(sync, gen_server:from(), #state{}) -> {reply, ok, #state{}} | {noreply, #state{}}.
handle_call(sync, _From, #state{busy = Busy} = State) when map_size(Busy) =:= 0 ->
    {reply, ok, State};
handle_call(sync, From, #state{waiting = Waiting} = State) ->
    {noreply, State#state{waiting = [From | Waiting]}}.

%% @private
-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Message, State) ->
    {noreply, State}.

%% @private
-spec handle_info(term(), #state{}) -> {noreply, #state{}}.
handle_info({send, Service, Author, Publisher, What}, #state{busy = Busy} = State) ->
    Post = {Service, Publisher, What},
    case Busy of
        #{Author := Queue} ->
            {noreply, State#state{busy = Busy#{Author := queue:in(Post, Queue)}}};
        #{} ->
            {noreply, next(Author, State#state{busy = Busy#{Author => queue:from_list([Post])}})}
    end;
handle_info({continue, Author, Job}, State) ->
    {noreply, work(Author, fun() -> page(Author, recheck(Author, Job)) end, State)};
handle_info(_Message, State) ->
    {noreply, State}.

%% @private
-spec terminate(term(), #state{}) -> ok.
terminate(Reason, State) ->
    receive
        Message when element(1, Message) =:= send; element(1, Message) =:= continue ->
            {noreply, Next} = handle_info(Message, State),
            terminate(Reason, Next)
    after 0 ->
        ok
    end.

%% Begins the author's next post, if there is one.
next(Author, #state{busy = Busy, waiting = Waiting} = State) ->
    case queue:out(maps:get(Author, Busy)) of
        {{value, Post}, Queue} ->
            Rest = State#state{busy = Busy#{Author := Queue}},
            work(Author, fun() -> page(Author, job(Author, Post)) end, Rest);
        {empty, _} when map_size(Busy) =:= 1 ->
            lists:foreach(fun(From) -> gen_server:reply(From, ok) end, Waiting),
            #state{};
        {empty, _} ->
            State#state{busy = maps:remove(Author, Busy)}
    end.

%% What fails for one post, in whatever module is asked, must not cost the posts that wait.
work(Author, Fun, State) ->
    try Fun() of
        continues -> State;
        done -> next(Author, State)
    catch
        Class:Reason:Stacktrace ->
            ?ERROR_MSG("A post of ~ts was not sent to all:~n** ~ts",
                       [Author, misc:format_exception(2, Class, Reason, Stacktrace)]),
            next(Author, State)
    end.

%% The author's own resources get it now; the job is what remains.
job(Author, {#{host := Host, server_host := ServerHost}, Publisher, What}) ->
    AuthorJid = jid:decode(Author),
    Own = twitter_event:to_author(Host, Author, What),
    lists:foreach(fun(Resource) -> send_resource(Own, AuthorJid, Resource) end,
                  resources(AuthorJid) -- [Publisher#jid.lresource]),
    Events = twitter_event:to_friends(Host, Author, What, mod_twitter_opt:body(ServerHost)),
    Recipients = recipients(AuthorJid),
    {Events, max(?MIN_PAGE, length(Recipients) div ?MAX_PAGES), Recipients}.

recipients(Author) ->
    {Local, Remote} = twitter_roster:recipients(Author),
    lists:append([Local | [Readers || {_Domain, Readers} <- Remote]]).

%% Sends one page, then asks itself for the next: what has arrived meanwhile comes first.
page(Author, {Events, Size, Recipients}) ->
    AuthorJid = jid:decode(Author),
    {Page, Rest} = lists:split(min(Size, length(Recipients)), Recipients),
    lists:foreach(fun(Reader) -> send(Events, AuthorJid, jid:decode(Reader)) end, Page),
    case Rest of
        [] ->
            done;
        _ ->
            self() ! {continue, Author, {Events, Size, Rest}},
            continues
    end.

%% Of those who are left, the ones whom the author's roster still lets see him.
recheck(Author, {Events, Size, Recipients}) ->
    Still = sets:from_list(recipients(jid:decode(Author)), [{version, 2}]),
    {Events, Size, [Reader || Reader <- Recipients, sets:is_element(Reader, Still)]}.

%% The roster has been asked; a block may concern a single resource.
send(Events, Author, Reader) ->
    case twitter_roster:is_local(Reader) of
        true ->
            lists:foreach(
              fun(Resource) ->
                      Full = jid:replace_resource(Reader, Resource),
                      twitter_roster:is_blocked(Full, Author)
                          orelse send_resource(Events, Reader, Resource)
              end, resources(Reader));
        false ->
            twitter_roster:is_blocked(Reader, Author)
                orelse lists:foreach(
                         fun(Event) -> ejabberd_router:route(xmpp:set_to(Event, Reader)) end,
                         Events)
    end.

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

%% Those that have sent presence.
resources(#jid{luser = LUser, lserver = LServer}) ->
    [Resource || {_Priority, Resource} <- ejabberd_sm:get_user_present_resources(LUser, LServer)].
